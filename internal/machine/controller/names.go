package controller

import (
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// checkNewName refuses a name that no topic may have, or not this one: metrics write a dot as an underscore, so names
// that differ only there collide.
func checkNewName(img *image.Image, name string) error {
	if name == kafka.MetadataTopic {
		return fault.New(op, kafka.ErrTopicAuthorizationFailed, "Topic '%s' is the metadata log of the cluster.", name)
	}
	if why := kafka.TopicNameProblem(name); why != "" {
		return fault.New(op, kafka.ErrInvalidTopicException, "%s", why)
	}
	if img.TopicNamed(name) != nil {
		return fault.New(op, kafka.ErrTopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	if have, ok := colliding(img, "", name); ok {
		return fault.New(op, kafka.ErrInvalidTopicException, "Topic '%s' collides with existing topic: %s", name, have)
	}
	return nil
}

// colliding finds a topic whose name differs at most in dots and underscores. It tries both at each place where the name
// has either, and goes on only where some topic's name begins so.
func colliding(img *image.Image, prefix, rest string) (string, bool) {
	i := strings.IndexAny(rest, "._")
	if i < 0 {
		t := img.TopicNamed(prefix + rest)
		if t == nil {
			return "", false
		}
		return t.Name, true
	}
	for _, c := range [...]string{".", "_"} {
		begin := prefix + rest[:i] + c
		if !anyBegins(img, begin) {
			continue
		}
		if name, ok := colliding(img, begin, rest[i+1:]); ok {
			return name, true
		}
	}
	return "", false
}

// anyBegins reports whether a topic's name begins so.
func anyBegins(img *image.Image, prefix string) bool {
	for t := range img.TopicsFrom(prefix) {
		return strings.HasPrefix(t.Name, prefix)
	}
	return false
}
