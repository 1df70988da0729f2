-- A session of a person has lost its socket.
-- KEYS 1 hash of the person's sessions (session -> node), 2 hash of the node's sessions (session -> person),
--      3 zset of people who are away (person -> deadline, ms), 4 string: the node that keeps this session
-- ARGV 1 session, 2 node, 3 person, 4 resume window in ms
-- Returns 1 if the person has no socket left, else 0.
redis.call('HDEL', KEYS[2], ARGV[1])
-- The session may have been resumed on another node already; then this news is old.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[4])
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[3], 'NX', ms + ARGV[4], ARGV[3])
return 1
