#!lua flags=allow-oom
-- Has ids in the index, where they are not. ARGV: stream, key prefix, then for each its id and its value.
-- Works in a full store too: the consumer must get past a dead letter, or nothing ever makes room.

for at = 3, #ARGV, 2 do
    redis.call('HSETNX', ARGV[2] .. 'pending', ARGV[at], ARGV[at + 1])
end
