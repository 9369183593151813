"""Running a program: `job_launch` sends it once and adopts it, `main_method` reads what main()
said, `program_run` knows how each kind of program is run.
"""
