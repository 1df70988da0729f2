-- Take members whose time has come; each is lent for a while, so that one that is dropped comes back.
-- KEYS 1 zset (member -> time, ms)
-- ARGV 1 at most, 2 lease in ms
-- Returns the members, earliest first.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  redis.call('ZADD', KEYS[1], ms + ARGV[2], member)
end
return due
