"""The page kit: layout, style, number formats and plots of every page that finelake writes.

A page is one file that loads nothing: style and plots stand inline, there is no script, and its content security
policy forbids the rest. Everything that is written into it is escaped.
"""
