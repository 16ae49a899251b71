-- Sets a number unless a greater one is there.
local stored = tonumber(redis.call('GET', KEYS[1]) or '') or 0
if tonumber(ARGV[1]) > stored then
  redis.call('SET', KEYS[1], ARGV[1])
end
return 1
