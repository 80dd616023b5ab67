"""The one model that everything said of a plan comes from: its accuracy, price and minutes."""
