module dbtls.dev/test/pause

go 1.26
