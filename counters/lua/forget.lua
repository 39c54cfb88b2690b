-- Drops a segment that is in the database. ARGV: key prefix, shard, segment.

redis.call('LREM', ARGV[1] .. 'generations:' .. ARGV[2], 1, ARGV[3])
return redis.call('UNLINK', ARGV[1] .. 'pending:' .. ARGV[3])
