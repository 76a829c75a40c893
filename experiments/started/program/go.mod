module gcsim.local/started

go 1.19
