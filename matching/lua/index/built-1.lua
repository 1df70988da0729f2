-- A rebuild is done: this counts only if nothing was forgotten since it began.
-- KEYS 1 hash about a language, or about all
-- ARGV 1 name of the rebuild
-- Returns 1 if it counts, else 0.
if redis.call('HGET', KEYS[1], 'building') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'built', ARGV[1])
return 1
