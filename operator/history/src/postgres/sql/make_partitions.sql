SELECT hearth.make_partitions($1::integer)
