-- What every script of the candidate index begins with. One language is one slot of a cluster: everything about it is
-- named after KEYS[1], so a script may reach it all.
-- KEYS 1 hash about a language: `buckets` and `records` (how many), `building` and `built` (which rebuild),
--   `cursor:NAME` (the place in a line where the next wave goes on)
--   ...:N          hash, a bucket of records: volunteer (16 bytes) -> record
--   ...:line:NAME  zset, a line: volunteer -> last rung, s
--   ...:slots      zset, minutes at which somebody has to be looked at
--   ...:turns:MIN  list, whom to look at in that minute
-- A record: 1 kind (0 gone, 1 waits, 2 to 8 stands in the line of that band, 9 to 15 there and in that of the trusted),
--   2-5 when Postgres knew this (ms, the lower 32 bits), 6-9 the minute of the next look; of one who stands also
--   10-13 until when (s), 14-17 last rung (s), 18-24 what ranking wants to know.
-- An entry of a list whose record names another minute is void: so a volunteer has one turn, however often it moved.
local base = KEYS[1]
local slots = base .. ':slots'
local about = redis.call('HMGET', base, 'buckets', 'records')
local buckets, records = tonumber(about[1]) or 1, tonumber(about[2]) or 0
local power = 1
while power * 2 <= buckets do
  power = power * 2
end

-- Linear hashing: buckets are added one at a time, and each time one of the old ones is split.
local function bucket_of(id)
  local a, b, c, d = string.byte(id, 13, 16)
  local n = (((a * 256 + b) * 256 + c) * 256 + d) % (power * 2)
  return base .. ':' .. (n < buckets and n or n - power)
end

local function line(name)
  return base .. ':line:' .. name
end

local function seconds(given)
  return tonumber(given) or tonumber(redis.call('TIME')[1])
end

-- Whom to look at in that minute.
local planned = {}
local function plan(minute, id)
  redis.call('RPUSH', base .. ':turns:' .. minute, id)
  if not planned[minute] then
    planned[minute] = true
    redis.call('ZADD', slots, minute, minute)
  end
end
