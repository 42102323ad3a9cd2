package  text
