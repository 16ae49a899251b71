-- Saves one shard's checkpoint: all of it or nothing.
-- KEYS: seq, session, details_of, count, resume_url, saved_at, gaps
-- ARGV: gaps (may be empty), saved_at; and, if there is a session: seq, session, count, resume_url (may be empty)
local seq, session, details_of, count, resume_url, saved_at, gaps = unpack(KEYS)

for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. key)
  end
end

local function put(key, value)
  if value == '' then
    redis.call('DEL', key)
  else
    redis.call('SET', key, value)
  end
end

put(gaps, ARGV[1])

if not ARGV[3] then
  redis.call('DEL', seq, session, details_of, count, resume_url)
  put(saved_at, ARGV[1] ~= '' and ARGV[2] or '')
  return 1
end

-- Within a session the sequence only grows; another session begins with its own.
local same = redis.call('GET', session) == ARGV[4]
local stored = same and tonumber(redis.call('GET', seq) or '') or 0
if not same or tonumber(ARGV[3]) > stored then
  redis.call('SET', seq, ARGV[3])
end

if not same or redis.call('GET', details_of) ~= ARGV[4] then
  redis.call('SET', session, ARGV[4])
  redis.call('SET', details_of, ARGV[4])
  redis.call('SET', count, ARGV[5])
end
put(resume_url, ARGV[6])
put(saved_at, ARGV[2])
return 1
