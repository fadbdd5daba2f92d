module github.com/godsr/dsr

go 1.26
