module gcsim.example/load

go 1.22
