-- Take volunteers whose turn has come. Each is lent: it comes again, unless it was placed meanwhile.
-- KEYS 1 hash about a language
-- ARGV 1 at most, 2 lease in seconds, 3 the time (s), '' for the cache's own
-- Returns {the volunteers, 16 bytes each; how many entries were read; 1 if the language was built, else 0}.
local now = math.floor(seconds(ARGV[3]) / 60)
local again = now + math.ceil(ARGV[2] / 60)
local left, taken = tonumber(ARGV[1]), {}
while left > 0 do
  local slot = redis.call('ZRANGEBYSCORE', slots, '-inf', now, 'LIMIT', 0, 1)[1]
  if not slot then
    break
  end
  local ids = redis.call('LPOP', base .. ':turns:' .. slot, left)
  if not ids then
    redis.call('ZREM', slots, slot)
  else
    left = left - #ids
    local minute = struct.pack('>I4', slot)
    for _, id in ipairs(ids) do
      local bucket = bucket_of(id)
      local record = redis.call('HGET', bucket, id)
      if record and string.sub(record, 6, 9) == minute then
        if string.byte(record, 1) == 0 then
          records = records - redis.call('HDEL', bucket, id)
        else
          redis.call('HSET', bucket, id, string.sub(record, 1, 5) .. struct.pack('>I4', again) .. string.sub(record, 10))
          plan(again, id)
          taken[#taken + 1] = id
        end
      end
    end
  end
end
if left < tonumber(ARGV[1]) then
  redis.call('HSET', base, 'records', records)
end
return {table.concat(taken), ARGV[1] - left, redis.call('HEXISTS', base, 'built')}
