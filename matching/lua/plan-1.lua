-- Put members on a timetable, counted from now.
-- KEYS 1 zset (member -> time, ms)
-- ARGV 1 delay in ms, 2 'NX' to leave members that are on it already, or '', 3.. members
-- Returns how many were new.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[1]
local added = 0
for i = 3, #ARGV do
  if ARGV[2] == 'NX' then
    added = added + redis.call('ZADD', KEYS[1], 'NX', ms, ARGV[i])
  else
    added = added + redis.call('ZADD', KEYS[1], ms, ARGV[i])
  end
end
return added
