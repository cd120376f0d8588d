SELECT hearth.drop_partitions($1::uuid)
