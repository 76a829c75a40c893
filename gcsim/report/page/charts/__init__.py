"""The interactive figures of the page, as specifications of Vega-Lite."""
