"""The heap and the machine that events act on."""
