module example.org/container

go 1.19
