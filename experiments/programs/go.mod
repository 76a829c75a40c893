module gcsim.local/programs

go 1.19
