-- Candidates: of each line those who were rung or looked at longest ago. What a line lacks, the others make up for.
-- They go to the end of their line: most are not rung, and the same ones would stand in front for every request.
-- KEYS 1 hash about a language
-- ARGV 1 the time (s), '' for the cache's own; then for each line its name and how many of it
-- Returns the candidates, 27 bytes each: id and what their record says from byte 14 on.
-- At most ROUNDS times as many are read as were asked for, whatever the length of the lines.
local ROUNDS = 4
local now = seconds(ARGV[1])
local found, wanted, seen, exhausted, looked_at = {}, {}, {}, {}, {}
for i = 2, #ARGV, 2 do
  wanted[i], seen[i], looked_at[i] = tonumber(ARGV[i + 1]), 0, {}
end
for _ = 1, ROUNDS do
  local missing = 0
  for i = 2, #ARGV, 2 do
    missing, wanted[i] = missing + wanted[i], 0
    if missing > 0 and not exhausted[i] then
      local key = line(ARGV[i])
      local ids = redis.call('ZRANGE', key, seen[i], seen[i] + missing - 1)
      exhausted[i] = #ids < missing
      for _, id in ipairs(ids) do
        local record = redis.call('HGET', bucket_of(id), id)
        if record and string.byte(record, 1) >= 2 and struct.unpack('>I4', record, 10) > now then
          found[#found + 1] = id .. string.sub(record, 14)
          seen[i] = seen[i] + 1
          looked_at[i][2 * seen[i] - 1], looked_at[i][2 * seen[i]] = now, id
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
  if seen[i] > 0 then
    redis.call('ZADD', line(ARGV[i]), 'XX', unpack(looked_at[i]))
  end
end
return table.concat(found)
