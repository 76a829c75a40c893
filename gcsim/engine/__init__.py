"""The clocks: engines that advance a model through time under the runtime's rules."""
