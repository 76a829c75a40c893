module gcsim.local/leaks

go 1.21
