-- Volunteers were rung: they go to the end of the line for a language, if they stand in it.
-- KEYS 1 zset of candidates (volunteer -> last rung, ms)
-- ARGV volunteers
-- Returns nothing.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
for _, volunteer in ipairs(ARGV) do
  redis.call('ZADD', KEYS[1], 'XX', ms, volunteer)
end
