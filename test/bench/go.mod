module github.com/milena-io/milena/test/bench

go 1.26.0

require (
	github.com/milena-io/milena v0.0.0
	github.com/milena-io/milena/test/compat v0.0.0
	github.com/twmb/franz-go v1.22.2
	github.com/twmb/franz-go/pkg/kadm v1.19.0
	github.com/twmb/franz-go/pkg/kmsg v1.15.0
	golang.org/x/sys v0.15.0
)

require (
	github.com/VictoriaMetrics/metrics v1.35.1 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/magiconair/properties v1.18.12 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/valyala/fastrand v1.1.0 // indirect
	github.com/valyala/histogram v1.2.0 // indirect
	go.etcd.io/raft/v3 v3.7.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	github.com/milena-io/milena => ../..
	github.com/milena-io/milena/test/compat => ../compat
)
