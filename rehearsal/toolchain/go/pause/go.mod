module rehearsal/toolchain/pause

go 1.26.0
