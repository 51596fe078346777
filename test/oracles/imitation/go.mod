module dbtls.dev/imitation

go 1.25.0
