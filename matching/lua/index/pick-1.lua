-- Candidates: of each line those who were rung longest ago, from where the wave before has left off. What a line lacks, the others make up for.
-- A cursor goes round each line: most of those who are read are not rung, and without it the same ones would stand in
-- front for every request.
-- KEYS 1 hash about a language
-- ARGV 1 the time (s), '' for the cache's own; then for each line its name and how many of it
-- Returns the candidates, 27 bytes each: id and what their record says from byte 14 on.
-- At most ROUNDS times as many are read as were asked for, whatever the length of the lines.
local ROUNDS = 4
local now = seconds(ARGV[1])
local found, wanted, left, at = {}, {}, {}, {}
for i = 2, #ARGV, 2 do
  local length = redis.call('ZCARD', line(ARGV[i]))
  wanted[i], left[i] = tonumber(ARGV[i + 1]), length
  at[i] = tonumber(redis.call('HGET', base, 'cursor:' .. ARGV[i])) or 0
  if at[i] >= length then
    at[i] = 0
  end
end
for _ = 1, ROUNDS do
  local missing = 0
  for i = 2, #ARGV, 2 do
    missing, wanted[i] = missing + wanted[i], 0
    local key, some = line(ARGV[i]), math.min(missing, left[i])
    while some > 0 do
      local ids = redis.call('ZRANGE', key, at[i], at[i] + some - 1)
      if #ids == 0 then
        if at[i] == 0 then
          break
        end
        at[i] = 0
      end
      some, left[i] = some - #ids, left[i] - #ids
      for _, id in ipairs(ids) do
        local record = redis.call('HGET', bucket_of(id), id)
        if record and string.byte(record, 1) >= 2 and struct.unpack('>I4', record, 10) > now then
          found[#found + 1] = id .. string.sub(record, 14)
          at[i] = at[i] + 1
          missing = missing - 1
        else
          -- Their time is over. Their turn is near: then they are put where they belong.
          redis.call('ZREM', key, id)
        end
      end
    end
  end
  wanted[2] = missing
  if missing == 0 then
    break
  end
end
for i = 2, #ARGV, 2 do
  redis.call('HSET', base, 'cursor:' .. ARGV[i], at[i])
end
return table.concat(found)
