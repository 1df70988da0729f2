-- Nodes that have not beaten for a while.
-- KEYS 1 zset of nodes (node -> last beat, ms)
-- ARGV 1 silence in ms
-- Returns their names.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms - ARGV[1])
