module github.com/bailiwick/bailiwick

go 1.26.0
