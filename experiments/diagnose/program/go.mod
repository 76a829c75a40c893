module diagnose

go 1.21
