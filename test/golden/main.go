// Golden makes the golden data of internal/log: small directories as the real Apache Kafka broker leaves them on disk,
// each a .tar.gz with a manifest of what must be found in it. Tests of the log read them without Java.
//
//	cd test/golden && go run . [-out DIR]
//	cd test/golden && go run . -migrate
//
// The second makes what internal/migrate and internal/node open in place: whole data directories of a node with static
// voters, one that can be taken over and one that holds what must be refused.
//
// It needs what test/compat/install/install.sh installs, and takes about a minute.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
)

func main() {
	log.SetFlags(0)
	version, err := broker.Version("KAFKA_VERSION")
	if err != nil {
		log.Fatal(err)
	}
	out := flag.String("out", filepath.Join(broker.Home(), "..", "..", "internal", "log", "testdata", "kafka-"+version),
		"directory the archives are written to")
	migrate := flag.Bool("migrate", false, "make the golden data of internal/migrate")
	flag.Parse()
	scenes, flags := []scene{logs, lifecycle}, ""
	if *migrate {
		*out = filepath.Join(broker.Home(), "..", "..", "internal", "migrate", "testdata", "kafka-"+version)
		scenes, flags = []scene{takeover}, " -migrate"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := run(ctx, &archive{dir: *out, version: version, flags: flags}, scenes); err != nil {
		log.Fatal("golden: ", err)
	}
}

// scene makes some archives.
type scene func(context.Context, string, *archive) error

func run(ctx context.Context, a *archive, scenes []scene) error {
	work, err := os.MkdirTemp("", "milena-golden-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := a.begin(); err != nil {
		return err
	}
	for _, scene := range scenes {
		if err := scene(ctx, work, a); err != nil {
			return err
		}
	}
	if err := a.end(); err != nil {
		return err
	}
	fmt.Println("wrote", a.dir)
	return nil
}

// small are the keys that keep everything a broker writes small and let nothing be deleted by age, since the golden
// records have timestamps of long ago.
func small(more map[string]string) map[string]string {
	keys := map[string]string{
		"log.retention.ms":                     "-1",
		"log.index.size.max.bytes":             "4096",
		"offsets.topic.num.partitions":         "3",
		"transaction.state.log.num.partitions": "1",
		"log.initial.task.delay.ms":            "0",
		"auto.create.topics.enable":            "false",
	}
	for key, value := range more {
		keys[key] = value
	}
	return keys
}
