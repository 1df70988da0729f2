-- Put volunteers where Postgres says.
-- KEYS 1 hash about a language
-- ARGV 1 volunteers, 40 bytes each: id and record; 2 '1' to remember also those as gone who had no record;
--      3 seconds after which one is looked at whose turn is past; 4 the time (s), '' for the cache's own
-- Returns nothing.
local FULL = 32
local BANDS = 7
local TRUSTED = 2 + BANDS
local now = math.floor(seconds(ARGV[4]) / 60)
local again = now + math.ceil(ARGV[3] / 60)

local function split()
  local from = base .. ':' .. (buckets - power)
  buckets = buckets + 1
  if buckets == power * 2 then
    power = buckets
  end
  local all = redis.call('HGETALL', from)
  for i = 1, #all, 2 do
    local to = bucket_of(all[i])
    if to ~= from then
      redis.call('HSET', to, all[i], all[i + 1])
      redis.call('HDEL', from, all[i])
    end
  end
end

for start = 1, #ARGV[1], 40 do
  local id = string.sub(ARGV[1], start, start + 15)
  local kind = string.byte(ARGV[1], start + 16)
  local as_of, turn = struct.unpack('>I4I4', ARGV[1], start + 17)
  local bucket = bucket_of(id)
  local old = redis.call('HGET', bucket, id)
  local was = old and string.byte(old, 1) or 0
  local age = old and (struct.unpack('>I4', old, 2) - as_of) % 4294967296 or 0
  -- What was known later stays. If it is from far ahead, the clock of Postgres was put back since.
  local outdated = age > 0 and age < 60000
  if not outdated and (kind > 0 or old or ARGV[2] == '1') then
    if turn <= now then
      turn = again
    end
    if was >= 2 and (kind < 2 or (kind - 2) % BANDS ~= (was - 2) % BANDS) then
      redis.call('ZREM', line((was - 2) % BANDS), id)
    end
    if was >= TRUSTED and kind < TRUSTED then
      redis.call('ZREM', line('trusted'), id)
    end
    local record = string.sub(ARGV[1], start + 16, start + 20) .. struct.pack('>I4', turn)
    if kind >= 2 then
      record = record .. string.sub(ARGV[1], start + 25, start + 39)
      local rung = struct.unpack('>I4', ARGV[1], start + 29)
      redis.call('ZADD', line((kind - 2) % BANDS), rung, id)
      if kind >= TRUSTED then
        redis.call('ZADD', line('trusted'), rung, id)
      end
    end
    if not old or struct.unpack('>I4', old, 6) ~= turn then
      plan(turn, id)
    end
    records = records + redis.call('HSET', bucket, id, record)
    while records > buckets * FULL do
      split()
    end
  end
end
redis.call('HSET', base, 'buckets', buckets, 'records', records)
