package twin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// resourceKinds describes and lists config resources of every kind, also of kinds that hold none.
func (t *talk) resourceKinds() error {
	err := t.each(kmsg.DescribeConfigs, func(v int16) error {
		for _, s := range []struct {
			name     string
			kind     kmsg.ConfigResourceType
			resource string
			keys     []string
		}{
			{"a logger", ofLogger, "1", []string{"kafka"}}, {"a logger of another broker", ofLogger, "5", []string{"kafka"}},
			{"client metrics", ofClientMetrics, "none", nil}, {"client metrics of the empty name", ofClientMetrics, "", nil},
			{"a group never heard of", ofGroup, "g", nil}, {"a group of the empty name", ofGroup, "", nil},
			{"a bad name", ofTopic, "bad name", nil}, {"the empty name", ofTopic, "", nil}, {"kind 0", ofNothing, "x", nil},
		} {
			if err := t.describe(s.name, v, s.kind, s.resource, s.keys); err != nil {
				return err
			}
		}
		twice := versioned(kmsg.NewPtrDescribeConfigsRequest(), v)
		for range 2 {
			r := kmsg.NewDescribeConfigsRequestResource()
			r.ResourceType, r.ResourceName, r.ConfigNames = ofTopic, "records", []string{"retention.ms"}
			twice.Resources = append(twice.Resources, r)
		}
		if _, err := t.ask("a resource twice", twice); err != nil {
			return err
		}
		_, err := t.ask("no resource", versioned(kmsg.NewPtrDescribeConfigsRequest(), v))
		return err
	})
	if err != nil {
		return err
	}
	for _, kinds := range [][]int8{{16}, {32}, {8}, {4}, {0}, {-1}, {2, 77}, {4, 4}} {
		req := versioned(kmsg.NewPtrListConfigResourcesRequest(), 1)
		req.ResourceTypes = kinds
		if _, err := t.ask(fmt.Sprintf("kinds %d", kinds), req); err != nil {
			return err
		}
	}
	return nil
}
