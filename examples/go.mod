module github.com/godsr/dsr/examples

go 1.26

require github.com/godsr/dsr v0.0.0

replace github.com/godsr/dsr => ..
