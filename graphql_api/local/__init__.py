"""The Lambda doors and what stands behind them, whole on one machine."""
