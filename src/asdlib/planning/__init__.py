"""What a run will need and cost, before it starts (`asdlib plan`, `check` and `fetch`), and what each job asks for."""
