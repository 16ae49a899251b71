-- Saves one shard's session, or forgets it: all of it or nothing.
-- KEYS: seq, session, details_of, count, resume_url, saved_at
-- ARGV: nothing to forget it; or seq, session, count, resume_url (may be empty), saved_at
local seq, session, details_of, count, resume_url, saved_at = unpack(KEYS)

for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. key)
  end
end

if #ARGV == 0 then
  return redis.call('DEL', unpack(KEYS))
end

-- Within a session the sequence only grows; another session begins with its own.
local same = redis.call('GET', session) == ARGV[2]
local stored = same and tonumber(redis.call('GET', seq) or '') or 0
if not same or tonumber(ARGV[1]) > stored then
  redis.call('SET', seq, ARGV[1])
end

if not same or redis.call('GET', details_of) ~= ARGV[2] then
  redis.call('SET', session, ARGV[2])
  redis.call('SET', details_of, ARGV[2])
  redis.call('SET', count, ARGV[3])
  if ARGV[4] == '' then
    redis.call('DEL', resume_url)
  else
    redis.call('SET', resume_url, ARGV[4])
  end
end
redis.call('SET', saved_at, ARGV[5])
return 1
