-- Volunteers whose record is older than a moment.
-- KEYS 1 hash about a language
-- ARGV 1 first bucket, 2 how many buckets, 3 the moment (ms, the lower 32 bits)
-- Returns {the volunteers, 16 bytes each; 1 if there are further buckets, else 0}.
local found, last = {}, ARGV[1] + ARGV[2]
for n = tonumber(ARGV[1]), math.min(last, buckets) - 1 do
  local all = redis.call('HGETALL', base .. ':' .. n)
  for i = 1, #all, 2 do
    local age = (ARGV[3] - struct.unpack('>I4', all[i + 1], 2)) % 4294967296
    if string.byte(all[i + 1], 1) > 0 and age > 0 and age < 2147483648 then
      found[#found + 1] = all[i]
    end
  end
end
return {table.concat(found), last < buckets and 1 or 0}
