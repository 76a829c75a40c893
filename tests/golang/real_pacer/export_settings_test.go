package runtime

// ChangeSettings is SetGCPercent and SetMemoryLimit at the boundary of two cycles, sweeping not done.
func (c *GCController) ChangeSettings(gcPercent int, memoryLimit int64) {
	c.setGCPercent(int32(gcPercent))
	c.setMemoryLimit(memoryLimit)
	c.commit(false)
}
