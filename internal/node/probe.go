package node

import "github.com/milena-io/milena/internal/image"

// Image is what this node knows of the cluster, as of the last change that it acted on. It is for whoever looks into a node from
// outside of it: clients are answered by handlers.
func (n *Node) Image() *image.Image { return n.feed.Image() }
