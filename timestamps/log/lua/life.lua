-- Whether the store has recovered since it started (timestamps/log/recovery.py). For scripts with the key prefix in ARGV[2].

local run_id = redis.call('INFO', 'server'):match('run_id:(%x+)')
local is_open = redis.call('GET', ARGV[2] .. 'life') == run_id
