-- A node is alive.
-- KEYS 1 zset of nodes (node -> last beat, ms), 2 string: the name of this life of the cache
-- ARGV 1 node, 2 a fresh name, taken if the cache has lost its memory
-- Returns {the name of this life of the cache, 1 if the node was not known}. Another name means that everything in the
-- cache is gone; a node that was not known has been taken for dead.
local now = redis.call('TIME')
local new = redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
redis.call('SET', KEYS[2], ARGV[2], 'NX')
return {redis.call('GET', KEYS[2]), new}
