SELECT hearth.admit($1::text)
