-- Sets a number unless one as great is there.
local stored = tonumber(redis.call('GET', KEYS[1]) or '')
if not stored or tonumber(ARGV[1]) > stored then
  redis.call('SET', KEYS[1], ARGV[1])
end
return 1
