-- A volunteer's phone is quiet again.
-- KEYS 1 string: the offer that rings for the volunteer
-- ARGV 1 offer
-- Returns 1 if it was that offer, else 0.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
