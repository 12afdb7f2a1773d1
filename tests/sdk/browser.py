ROWS = []
run = None
