package cli

import "github.com/spf13/cobra"

func (a *app) groupCommand() *cobra.Command {
	c := a.group("group", "List, describe, seek and delete consumer groups", a.groupList(), a.groupDescribe(), a.groupSeek(), a.groupDelete())
	c.Aliases = []string{"groups"}
	return c
}
