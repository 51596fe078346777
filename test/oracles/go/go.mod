module dbtls.dev/oracle

go 1.24
